-- Gives one stretch of the feed of revocations.
-- ARGV[3]: the place after which to begin. ARGV[4]: the last place to give. ARGV[5]: how many to look at.
-- ARGV[6]: how many tokens to give.
-- Gives 1 if the feed goes on and 0 if not, the last place looked at, and of each token that has not
-- expired its id, its place and what is stored; nothing in place of what cannot be read.
local entries = call('ZRANGEBYSCORE', P .. 'revoked', '(' .. ARGV[3], ARGV[4], 'WITHSCORES', 'LIMIT', 0, ARGV[5] + 1)
local answer, most = { 0, ARGV[3] }, 2 + 3 * ARGV[6]
for at = 1, #entries, 2 do
  if at > 2 * ARGV[5] or #answer == most then
    answer[1] = 1
    break
  end
  answer[2] = entries[at + 1]
  local value = head(entries[at])
  local is_readable = pcall(parts, value)
  -- An active token took the id anew after the server had reclaimed the revoked one.
  local is_revoked = is_readable and byte(value, 2) ~= ACTIVE and not passed(value, 3)
  if is_revoked or (value ~= '' and not is_readable) then
    answer[#answer + 1] = entries[at]
    answer[#answer + 1] = entries[at + 1]
    answer[#answer + 1] = is_readable and value or ''
  end
end
return answer
