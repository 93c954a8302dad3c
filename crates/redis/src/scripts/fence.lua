-- Lets a bulk revocation's mark count on, where it stands, or takes it away.
-- ARGV[3]: the index. ARGV[4]: the mark. ARGV[5]: the milliseconds that it counts; 0 takes it away.
-- Gives 1 if it counted until now, else 0.
local stood = 0
for _, state in ipairs({ 'o', 'c' }) do
  local mark = ARGV[4] .. state
  if stands(ARGV[3], mark) then
    stood = 1
    if ARGV[5] == '0' then
      call('ZREM', fence_key(ARGV[3]), mark)
    else
      mark_until(ARGV[3], mark, tonumber(ARGV[5]))
    end
  end
end
if ARGV[5] == '0' then call('UNLINK', late_key(ARGV[4])) end
return stood
