-- KEYS: token, expiry, indexes. ARGV: value, TTL, expiry entry, id, and how long an index is kept that would not
-- live as long as the token; nothing if indexes live for ever.
local call = redis.call
if not call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
call('ZADD', KEYS[2], '0', ARGV[3])
for at = 3, #KEYS do call('ZADD', KEYS[at], '0', ARGV[4]) end
if ARGV[5] ~= '' then
  local least = tonumber(ARGV[2])
  for at = 2, #KEYS do
    if call('PTTL', KEYS[at]) < least then call('PEXPIRE', KEYS[at], ARGV[5]) end
  end
end
return 1
