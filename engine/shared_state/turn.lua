-- Take one turn of a listener, as engine.turn.start_turn does in memory; return the history.
--
-- KEYS: the listener's record; the request's idempotency key, if it has one.
-- ARGV: the fixed part; the turn's id; the lineages of the experiments that the listener is in, 6 bytes
-- each; with an idempotency key, the digest of the body.
--
-- A reply begins with a letter:
-- T  taken: length of the old head, length of the listens that went, both, the record as it is now
-- E  the report ends a session that has ended already; nothing changed
-- K  the idempotency key is known: `A`, digest, answer; or `C`, digest, the id and the T reply of its turn
-- M  the record has indices of a different catalog: the record; nothing changed
-- L  Redis came to it after the deadline: its clock in ms; nothing changed
-- V  the record has a version that this script does not know; nothing changed
local HEAD = '<I1I4I8I2c8I1I1'
local deadline, at, gap, ttl, answer_ttl, most, flags, word, catalog =
    struct.unpack('<I8I8I8I8I8I4I1c8c8', ARGV[1])
local id, mine = ARGV[2], ARGV[3]
local LINEAGE, MOST_LINEAGES = 6, 64
local heard, final, known, resets =
    bit.band(flags, 1) ~= 0, bit.band(flags, 2) ~= 0, bit.band(flags, 4) ~= 0, bit.band(flags, 8) ~= 0

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
if now > deadline then return 'L' .. struct.pack('<I8', now) end
if KEYS[2] then
  local kept = redis.call('GET', KEYS[2])
  if kept then return 'K' .. kept end
end

local record = redis.call('GET', KEYS[1])
local turn, seen, start, session, lineages, listens, old_head = 0, 0, 0, '', '', '', ''
if record then
  local version, tag, session_size, count, place
  if string.byte(record) ~= 1 then return 'V' end
  version, turn, seen, start, tag, session_size, count, place = struct.unpack(HEAD, record)
  if tag ~= catalog then return 'M' .. record end
  local lineages_at = place + session_size
  local listens_at = lineages_at + LINEAGE * count
  session = string.sub(record, place, lineages_at - 1)
  lineages = string.sub(record, lineages_at, listens_at - 1)
  listens = string.sub(record, listens_at)
  old_head = string.sub(record, 1, listens_at - 1)
end

if final and known and session == '' and #listens > 0
    and string.sub(listens, -8) == word and at - seen <= gap then
  return 'E'
end

-- A listener who enters an experiment: the history is forgotten first, if the config says so.
local dropped = ''
local entering = false
for place = 1, #mine, LINEAGE do
  local lineage, found = string.sub(mine, place, place + LINEAGE - 1), false
  for other = 1, #lineages, LINEAGE do
    if string.sub(lineages, other, other + LINEAGE - 1) == lineage then found = true break end
  end
  if not found then entering = true break end
end
if entering then
  local kept = {}
  if resets and turn > 0 then
    dropped, listens, turn, start, session = listens, '', 0, 0, ''
  else
    for other = 1, #lineages, LINEAGE do
      local lineage, again = string.sub(lineages, other, other + LINEAGE - 1), false
      for place = 1, #mine, LINEAGE do
        if string.sub(mine, place, place + LINEAGE - 1) == lineage then again = true break end
      end
      if not again then kept[#kept + 1] = lineage end
    end
  end
  -- The newest are last: the present ones always stay.
  lineages = string.sub(table.concat(kept) .. mine, -LINEAGE * MOST_LINEAGES)
end

if session ~= '' and at - seen > gap then start, session = #listens / 8, '' end
if heard then
  local surplus = #listens / 8 - most + 1
  if surplus > 0 then
    dropped = string.sub(listens, 1, surplus * 8)
    listens = string.sub(listens, surplus * 8 + 1)
    start = math.max(0, start - surplus)
  end
  listens = listens .. word
end
if session == '' then session = id end
if final then start, session = #listens / 8, '' end

record = struct.pack(HEAD, 1, turn + 1, at, start, catalog, #session, #lineages / LINEAGE)
    .. session .. lineages .. listens
redis.call('SET', KEYS[1], record, 'PX', ttl)
local reply = 'T' .. struct.pack('<I2I4', #old_head, #dropped) .. old_head .. dropped .. record
if KEYS[2] then
  local claim = 'C' .. ARGV[4] .. struct.pack('<I1', #id) .. id .. reply
  redis.call('SET', KEYS[2], claim, 'PX', answer_ttl)
end
return reply
