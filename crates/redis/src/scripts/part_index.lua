-- The indexes of a token: one sorted set for each of its anchors, ordered by id.
local NAMES = { 'trust:', 'user:', 'consumer:', 'tenant:', 'domain:' }

local function anchors(value)
  return sub(value, 29, (parts(value)) - 1)
end

local function index_keys(block)
  local keys, at = {}, 1
  for kind = 1, 5 do
    local length = byte(block, at) or corrupt()
    if length > 0 then keys[#keys + 1] = P .. NAMES[kind] .. sub(block, at + 1, at + length) end
    at = at + 1 + length
  end
  return keys
end

-- Lets a key live at least so many milliseconds; with room, so that it need not be told each time. Gives how
-- many it lives.
local function keep(key, ttl)
  local left = call('PTTL', key)
  if left >= ttl then return left end
  ttl = ttl + math.floor(ttl / 8) + 60000
  call('PEXPIRE', key, whole(ttl))
  return ttl
end

-- Lets a token's indexes live at least so many milliseconds, and the order of expiry as long as any of them:
-- by it alone their entries are found of tokens that the server has reclaimed.
local function keep_indexes(keys, ttl)
  local longest = ttl
  for _, index in ipairs(keys) do longest = math.max(longest, keep(index, ttl)) end
  keep(P .. 'expiry', longest)
end

-- A token's entry in the order of expiry. It names the token's indexes, so that they can be cleaned when
-- the server has reclaimed the token itself.
local function expiry_entry(id, value)
  return sub(value, 3, 10) .. id .. anchors(value)
end
