-- Revokes what matches in one stretch of an index.
-- ARGV[5]: the index. ARGV[6]: the id after which to begin, or nothing. ARGV[7]: how many ids to look at.
-- ARGV[8]: the fence of this bulk revocation. ARGV[9]: the milliseconds that it lives.
-- ARGV[10]...: the filter. ARGV[18]: 1 if the store has several shards, so that the fence has to stand until
-- the last of them is done; else it goes at the end of the index.
-- Gives how many ids were looked at, the last of them, the highest place given, and the ids revoked.
local index = P .. ARGV[5]
local from = ARGV[6] == '' and '-' or '(' .. ARGV[6]
local ids = call('ZRANGEBYLEX', index, from, '+', 'LIMIT', 0, ARGV[7])
local fence = P .. 'bulk:' .. ARGV[5]
if ARGV[18] == '1' or #ids == tonumber(ARGV[7]) then
  call('ZADD', fence, 0, ARGV[8])
  call('PEXPIRE', fence, ARGV[9])
elseif ARGV[6] ~= '' then
  call('ZREM', fence, ARGV[8])
end
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
