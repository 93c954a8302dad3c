-- Takes a token away that nobody was given, if it is as it was stored.
-- ARGV[3]: its id. ARGV[4]: what was stored. Gives 1, or 0 if it is not as it was.
local key = P .. 'token:' .. ARGV[3]
if call('GET', key) ~= ARGV[4] then return 0 end
unlink(expiry_entry(ARGV[3], ARGV[4]), nil)
call('UNLINK', key, P .. 'turn:' .. ARGV[3])
return 1
