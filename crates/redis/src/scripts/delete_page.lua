-- Revokes what matches in one stretch of an index.
-- ARGV[5]: the index. ARGV[6]: the id after which to begin, or nothing. ARGV[7]: how many ids to look at.
-- ARGV[8]: the fence of this bulk revocation, or nothing. ARGV[9]: the milliseconds that it lives.
-- ARGV[10]...: the filter.
-- Gives how many ids were looked at, the last of them, the highest place given, and the ids revoked.
if ARGV[8] ~= '' then
  call('ZADD', P .. 'bulk:' .. ARGV[5], 0, ARGV[8])
  call('PEXPIRE', P .. 'bulk:' .. ARGV[5], ARGV[9])
end
local index = P .. ARGV[5]
local from = ARGV[6] == '' and '-' or '(' .. ARGV[6]
local ids = call('ZRANGEBYLEX', index, from, '+', 'LIMIT', 0, ARGV[7])
local answer = { #ids, ids[#ids] or '', '' }
for _, id in ipairs(ids) do
  local value = call('GET', P .. 'token:' .. id)
  if not value then
    call('ZREM', index, id)
  elseif matches(value, 10) and not passed(value, 3) and byte(value, 2) == ACTIVE then
    revoke(id, value, '')
    answer[#answer + 1] = id
  end
end
answer[3] = remember_place()
return answer
