-- Whether a token meets the filter that begins at this argument: the five anchors in their order, audit
-- id, audit chain id, and the instant before which it was issued; each is empty if anything will do.
local function matches(value, first)
  local audit, chain, rest = parts(value)
  local at = 29
  for kind = 0, 4 do
    local length, wanted = byte(value, at), ARGV[first + kind]
    if wanted ~= '' and wanted ~= sub(value, at + 1, at + length) then return false end
    at = at + 1 + length
  end
  if at ~= audit then corrupt() end
  local wanted = ARGV[first + 5]
  if wanted ~= '' and wanted ~= sub(value, audit + 1, chain - 1) then return false end
  wanted = ARGV[first + 6]
  if wanted ~= '' and wanted ~= sub(value, chain + 1, rest - 1) then return false end
  wanted = ARGV[first + 7]
  if wanted == '' then return true end
  local hi, lo = struct.unpack('>I4I4', value, 11)
  local end_hi, end_lo = struct.unpack('>I4I4', wanted)
  return hi < end_hi or (hi == end_hi and lo < end_lo)
end
