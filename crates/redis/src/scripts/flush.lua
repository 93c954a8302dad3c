-- Removes expired tokens, and what is left of those that the server reclaimed.
-- ARGV[3]: how many tokens to remove. ARGV[4]: how many entries to look at.
-- Gives how many were removed, and 0 none waits, 1 more wait, 2 more may wait.
local entries = due(ARGV[4])
local removed, most = 0, tonumber(ARGV[3])
for _, entry in ipairs(entries) do
  local is_stored, current = holder(entry)
  if is_stored then
    if removed == most then return { removed, 1 } end
    call('UNLINK', P .. 'token:' .. sub(entry, 9, 40))
    removed = removed + 1
  end
  unlink(entry, current)
end
return { removed, #entries < tonumber(ARGV[4]) and 0 or 2 }
