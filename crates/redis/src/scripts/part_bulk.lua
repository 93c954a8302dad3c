-- What a step of a bulk revocation gives whose mark counts no more: a successor may have been stored behind
-- its back, and nothing was done.
local LAPSED = { -1 }

-- Revokes those of these tokens that are active and meet the filter from ARGV[10] on. Gives 1 if there may be
-- more, being as many as were asked for, and else 0; the last id; the highest place given; the id of a token
-- that cannot be read, or nothing; and of each token that was revoked its id, and the id of the token that it
-- was to take the place of if that is not settled yet.
local function revoke_all(ids, most)
  local answer = { #ids == most and 1 or 0, ids[#ids] or '', '', '' }
  for _, id in ipairs(ids) do
    local value = head(id)
    local is_readable, does_match = pcall(matches, value, 10)
    if value == '' then
      -- The server has it no more.
    elseif not is_readable then
      answer[4] = id
    elseif does_match and not passed(value, 3) and byte(value, 2) == ACTIVE then
      reserve(#ids)
      revoke(id, value, '')
      answer[#answer + 1] = id
      answer[#answer + 1] = call('GET', P .. 'turn:' .. id) or ''
    end
  end
  answer[3] = last_place()
  return answer
end
