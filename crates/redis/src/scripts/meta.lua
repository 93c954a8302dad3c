-- Tells the store's constants; makes them if there are none.
-- KEYS[1]: the store's key. ARGV: layout, id, number of shards; or nothing, which only looks.
-- Gives layout, id and number of shards; nothing if there is no store.
if redis.call('EXISTS', KEYS[1]) == 0 then
  if #ARGV == 0 then return {} end
  redis.call('HSET', KEYS[1], 'layout', ARGV[1], 'id', ARGV[2], 'shards', ARGV[3])
end
return redis.call('HMGET', KEYS[1], 'layout', 'id', 'shards')
