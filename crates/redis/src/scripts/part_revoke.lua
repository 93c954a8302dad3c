-- Revokes active tokens, and gives each the next place in the order of revocation.
-- ARGV[3]: now, as 8 bytes.
-- ARGV[4]: the least place to give.
local place
local given = 0

-- The highest place that was noted. Where the counter was taken away, by hand or by eviction, the feed tells.
local function highest()
  local noted = call('GET', P .. 'place')
  if noted then return tonumber(noted) end
  return tonumber(call('ZREVRANGE', P .. 'revoked', 0, 0, 'WITHSCORES')[2] or 0)
end

-- To be called before each revocation, with how many there may be in all. Their places are noted before the first
-- is given, so that none is given twice, wherever the script ends.
local function reserve(count)
  if place then return end
  place = math.max(highest(), tonumber(ARGV[4]) - 1)
  call('SET', P .. 'place', whole(place + count))
end

local function revoke(id, value, successor)
  local key = P .. 'token:' .. id
  local _, _, rest = parts(value)
  local keys = index_keys(anchors(value))
  -- First what can fail where something else was written over a key.
  call('ZADD', P .. 'revoked', whole(place + 1), id)
  place = place + 1
  given = place
  call('SET', key, sub(value, 1, 1) .. '\1' .. sub(value, 3, rest - 1) .. ARGV[3] .. successor, 'KEEPTTL')
  for _, index in ipairs(keys) do redis.pcall('ZREM', index, id) end
  keep_indexes({ P .. 'revoked' }, call('PTTL', key))
end

-- The highest place that was given here; 0 if none was.
local function last_place()
  return whole(given)
end

-- When a token was revoked, and by which successor.
local function revocation(value)
  local _, _, rest = parts(value)
  return sub(value, rest, rest + 7), sub(value, rest + 8)
end
