-- Revokes active tokens, and gives each the next place in the order of revocation.
-- ARGV[3]: now, as 8 bytes.
-- ARGV[4]: the least place to give.
local place

-- The feed is asked too: the counter may be lost, or behind where a script ended before it told of a place.
local function highest()
  local last = call('ZREVRANGE', P .. 'revoked', 0, 0, 'WITHSCORES')
  return math.max(tonumber(call('GET', P .. 'place') or 0), tonumber(last[2] or 0))
end

local function revoke(id, value, successor)
  local key = P .. 'token:' .. id
  local _, _, rest = parts(value)
  local keys = index_keys(anchors(value))
  place = math.max((place or highest()) + 1, tonumber(ARGV[4]))
  call('SET', key, sub(value, 1, 1) .. '\1' .. sub(value, 3, rest - 1) .. ARGV[3] .. successor, 'KEEPTTL')
  for _, index in ipairs(keys) do call('ZREM', index, id) end
  call('ZADD', P .. 'revoked', whole(place), id)
  keep_indexes({ P .. 'revoked' }, call('PTTL', key))
end

-- To be called once after the last revocation.
local function remember_place()
  if place then call('SET', P .. 'place', whole(place)) end
  return whole(place or 0)
end

-- When a token was revoked, and by which successor.
local function revocation(value)
  local _, _, rest = parts(value)
  return sub(value, rest, rest + 7), sub(value, rest + 8)
end
