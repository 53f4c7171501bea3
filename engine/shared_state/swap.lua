-- Put a record in the place of a second one, only if nothing came after that one; return 1 if it did so.
--
-- KEYS: the listener's record; the idempotency key whose claim goes too, if there is one.
-- ARGV: the record that must be there, the new one (empty: none), its time to live in ms.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
if KEYS[2] then redis.call('DEL', KEYS[2]) end
return 1
