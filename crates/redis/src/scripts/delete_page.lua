-- Revokes what matches in one stretch of an index.
-- ARGV[5]: the index. ARGV[6]: the id after which to begin, or nothing. ARGV[7]: how many ids to look at.
-- ARGV[8]: the mark of this bulk revocation. ARGV[9]: the milliseconds that it counts.
-- ARGV[10]...: the filter. ARGV[18]: 1 if the store has several shards. In one, the mark is needed only if
-- the index goes on.
-- Gives what part_bulk.lua says; of ids whose tokens are not stored nothing is taken away, since a token may
-- be on its way to another server.
local is_first, most = ARGV[6] == '', tonumber(ARGV[7])
if not is_first and not stands(ARGV[5], ARGV[8] .. 'o') then return LAPSED end
local from = is_first and '-' or '(' .. ARGV[6]
local ids = call('ZRANGEBYLEX', P .. ARGV[5], from, '+', 'LIMIT', 0, most)
if ARGV[18] == '1' or #ids == most then mark_until(ARGV[5], ARGV[8] .. 'o', tonumber(ARGV[9])) end
return revoke_all(ids, most)
