-- Where the parts of a stored token begin; see record.rs.
-- 1 format, 2 state, 3 expires_at, 11 issued_at, 19 version, 27 length of the anchors, 29 anchors,
-- then audit id and audit chain id, then the data, or of a revoked token when and by what.
local ACTIVE = 0

-- So many bytes hold all that comes before a token's data.
local HEAD = 2048

-- The beginning of what is stored for an id; nothing if there is none, and no token where it is no text.
local function head(id)
  local value = redis.pcall('GETRANGE', P .. 'token:' .. id, 0, HEAD - 1)
  return type(value) == 'string' and value or '\0'
end

local function corrupt()
  error({ err = 'CORRUPT a token is stored in no known form' })
end

-- The first bytes of the audit id, of the chain id and of what follows.
local function parts(value)
  local low = byte(value, 28)
  if byte(value, 1) ~= 1 or not low then corrupt() end
  local audit = 29 + byte(value, 27) * 256 + low
  local chain = audit + 1 + (byte(value, audit) or corrupt())
  local rest = chain + 1 + (byte(value, chain) or corrupt())
  if rest > #value + 1 then corrupt() end
  return audit, chain, rest
end
