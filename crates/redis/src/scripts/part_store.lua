-- What the server reclaimed has left entries; each sixteenth token sees to some of them.
local function trim()
  for _, entry in ipairs(due(32)) do
    local is_stored, current = holder(entry)
    if is_stored then return end
    unlink(entry, current)
  end
end

-- Stores a new token unless its id is taken by one that has not expired.
local function store(id, value, ttl)
  local key = P .. 'token:' .. id
  local entry = expiry_entry(id, value)
  if not call('SET', key, value, 'NX', 'PX', ttl) then
    local old = head(id)
    local is_readable = pcall(parts, old)
    if not is_readable or not passed(old, 3) then return false end
    unlink(expiry_entry(id, old), nil)
    call('SET', key, value, 'PX', ttl)
  end
  ttl = tonumber(ttl)
  call('ZADD', P .. 'expiry', 0, entry)
  local indexes = index_keys(anchors(value))
  for _, index in ipairs(indexes) do
    local added = redis.pcall('ZADD', index, 0, id)
    if type(added) == 'table' then
      -- Something else was written over it. What entries there are go at the expiry that the token would have had.
      call('UNLINK', key)
      error(added)
    end
  end
  keep_indexes(indexes, ttl)
  if byte(id, 32) % 16 == 0 then trim() end
  return true
end
