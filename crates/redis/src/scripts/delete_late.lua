-- Closes a bulk revocation, and revokes what matches of the successors that were noted for it.
-- ARGV[5]: the index. ARGV[7]: how many ids to look at. ARGV[8]: the mark of this bulk revocation.
-- ARGV[9]: the milliseconds that it counts. ARGV[10]...: the filter.
-- Gives what part_bulk.lua says.
local index, open, closed = ARGV[5], ARGV[8] .. 'o', ARGV[8] .. 'c'
if not stands(index, open) and not stands(index, closed) then return LAPSED end
call('ZREM', fence_key(index), open)
mark_until(index, closed, tonumber(ARGV[9]))
return revoke_all(call('SPOP', late_key(ARGV[8]), ARGV[7]), tonumber(ARGV[7]))
