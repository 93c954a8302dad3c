-- Removes all that an entry in the order of expiry stands for, and the entry. What a token has that took
-- the id anew stays.
local function unlink(entry, current)
  local id, own = sub(entry, 9, 40), {}
  -- One that cannot be read is left for who asks for it.
  local is_active = current and byte(current, 2) == ACTIVE and pcall(parts, current)
  if is_active then
    for _, key in ipairs(index_keys(anchors(current))) do own[key] = true end
  end
  for _, key in ipairs(index_keys(sub(entry, 41))) do
    if not own[key] then redis.pcall('ZREM', key, id) end
  end
  if not current or is_active then redis.pcall('ZREM', P .. 'revoked', id) end
  call('ZREM', P .. 'expiry', entry)
end

-- Whether an entry's token is still stored, and the token that has its id now.
local function holder(entry)
  local value = head(sub(entry, 9, 40))
  if value == '' then return false, nil end
  if sub(value, 3, 10) == sub(entry, 1, 8) then return true, nil end
  return false, value
end

-- The first entries whose tokens have expired.
local function due(count)
  return call('ZRANGEBYLEX', P .. 'expiry', '-', '(' .. ARGV[2], 'LIMIT', 0, count)
end
