-- Stores a new token unless its id is taken by one that has not expired.
local function store(id, value, ttl)
  local key = P .. 'token:' .. id
  local entry = expiry_entry(id, value)
  if not call('SET', key, value, 'NX', 'PX', ttl) then
    local old = call('GET', key)
    parts(old)
    if not passed(old, 3) then return false end
    unlink(expiry_entry(id, old), nil)
    call('SET', key, value, 'PX', ttl)
  end
  ttl = tonumber(ttl)
  call('ZADD', P .. 'expiry', 0, entry)
  keep(P .. 'expiry', ttl)
  for _, index in ipairs(index_keys(anchors(value))) do
    call('ZADD', index, 0, id)
    keep(index, ttl)
  end
  return true
end
