-- Gives one stretch of the feed of revocations.
-- ARGV[3]: the place after which to begin. ARGV[4]: the last place to give. ARGV[5]: how many to look at.
-- Gives 1 if the feed goes on and 0 if not, the last place looked at, and of each token that has not
-- expired its id, its place and what is stored.
local entries = call('ZRANGEBYSCORE', P .. 'revoked', '(' .. ARGV[3], ARGV[4], 'WITHSCORES', 'LIMIT', 0, ARGV[5] + 1)
local answer = { 0, ARGV[3] }
for at = 1, #entries, 2 do
  if at > 2 * ARGV[5] then
    answer[1] = 1
    break
  end
  answer[2] = entries[at + 1]
  local value = call('GET', P .. 'token:' .. entries[at])
  if value then parts(value) end
  -- An active token took the id anew after the server had reclaimed the revoked one.
  if value and byte(value, 2) ~= ACTIVE and not passed(value, 3) then
    answer[#answer + 1] = entries[at]
    answer[#answer + 1] = entries[at + 1]
    answer[#answer + 1] = value
  end
end
return answer
