-- Gives the active tokens that match in one stretch of an index.
-- ARGV[3]: the index. ARGV[4]: the id after which to begin, or nothing. ARGV[5]: how many ids to look at.
-- ARGV[6]: how many tokens to give. ARGV[7]: after how many bytes read to stop. ARGV[8]...: the filter.
-- Gives 1 if the index goes on and 0 if not, the last id looked at, and id and token of each; nothing in
-- place of one that cannot be read.
local from = ARGV[4] == '' and '-' or '(' .. ARGV[4]
local most, bytes = tonumber(ARGV[6]), tonumber(ARGV[7])
local ids = call('ZRANGEBYLEX', P .. ARGV[3], from, '+', 'LIMIT', 0, ARGV[5] + 1)
local answer = { 0, '' }

local function give(id, value)
  answer[#answer + 1] = id
  answer[#answer + 1] = value
  most = most - 1
end

for number, id in ipairs(ids) do
  if number > tonumber(ARGV[5]) or most == 0 or bytes <= 0 then
    answer[1] = 1
    break
  end
  answer[2] = id
  local value = head(id)
  bytes = bytes - #value
  local is_readable, does_match = pcall(matches, value, 8)
  if value == '' then
    -- The server has it no more.
  elseif not is_readable then
    give(id, '')
  elseif does_match and not passed(value, 3) and byte(value, 2) == ACTIVE then
    if #value == HEAD then
      value = call('GET', P .. 'token:' .. id)
      bytes = bytes - #value
    end
    give(id, value)
  end
end
return answer
