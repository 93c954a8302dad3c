-- Changes an active token's data and expiry if it has the expected version.
-- ARGV[3]: its id. ARGV[4], ARGV[5]: the expected and the new version. ARGV[6]: the new expiry.
-- ARGV[7]: the new data. ARGV[8]: the milliseconds it lives.
-- Gives 1 changed; 0 no such active token; 2 and the version that it has.
local id, expires = ARGV[3], ARGV[6]
local key = P .. 'token:' .. id
local old = call('GET', key)
if not old then return { 0 } end
local _, _, rest = parts(old)
if passed(old, 3) or byte(old, 2) ~= ACTIVE then return { 0 } end
if sub(old, 19, 26) ~= ARGV[4] then return { 2, sub(old, 19, 26) } end

local value = sub(old, 1, 2) .. expires .. sub(old, 11, 18) .. ARGV[5] .. sub(old, 27, rest - 1) .. ARGV[7]
call('SET', key, value, 'PX', ARGV[8])
if sub(old, 3, 10) ~= expires then
  local ttl = tonumber(ARGV[8])
  call('ZADD', P .. 'expiry', 0, expiry_entry(id, value))
  call('ZREM', P .. 'expiry', expiry_entry(id, old))
  keep_indexes(index_keys(anchors(value)), ttl)
end
return { 1 }
