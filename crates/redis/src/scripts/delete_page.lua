-- Revokes what matches in one stretch of an index.
-- ARGV[5]: the index. ARGV[6]: the id after which to begin, or nothing. ARGV[7]: how many ids to look at.
-- ARGV[8]: the mark of this bulk revocation. ARGV[9]: the milliseconds that it counts.
-- ARGV[10]...: the filter. ARGV[18]: 1 if the store has several shards. In one, the mark is needed only if
-- the index goes on.
local ids = call('ZRANGEBYLEX', P .. ARGV[5], ARGV[6] == '' and '-' or '(' .. ARGV[6], '+', 'LIMIT', 0, ARGV[7])
if ARGV[18] == '1' or #ids == tonumber(ARGV[7]) then
  mark_until(ARGV[5], ARGV[8] .. 'o', tonumber(ARGV[9]))
end
return revoke_all(ids, function(id)
  call('ZREM', P .. ARGV[5], id)
end)
