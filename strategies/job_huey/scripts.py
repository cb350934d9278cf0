"""What happens to a job's row at once or not at all: Lua scripts, which Redis runs one after the other."""

from typing import Final

# KEYS: row, open, counters. ARGV: id, limit, now, document, priority. Returns the job's number, 0 if there is such a
# job, -1 if there is no room.
ACCEPT: Final = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[2]) then return -1 end
local number = redis.call('HINCRBY', KEYS[3], 'accepted', 1)
redis.call('HSET', KEYS[1], 'number', number, 'state', 'queued', 'since', ARGV[3], 'document', ARGV[4],
    'priority', ARGV[5])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
return number
"""

# KEYS: row, open, counters, least wait. ARGV: id, now, consumer, prefix of heartbeats, ms that the job waited, then
# names and amounts of counters. Returns whether the job may be worked on: not if it is done, or if a living consumer
# works on it.
CLAIM: Final = """
local state, owner = unpack(redis.call('HMGET', KEYS[1], 'state', 'consumer'))
if not state or state == 'finished' then return 0 end
if state == 'started' and owner ~= ARGV[3] and redis.call('EXISTS', ARGV[4] .. owner) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'state', 'started', 'since', ARGV[2], 'consumer', ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[4], 'LT', ARGV[5], '')
for i = 6, #ARGV, 2 do redis.call('HINCRBYFLOAT', KEYS[3], ARGV[i], ARGV[i + 1]) end
return 1
"""

# KEYS: row, effects. ARGV: entry, whether it is written only once.
EFFECT: Final = """
if redis.call('HSETNX', KEYS[1], 'effect', 1) == 0 and ARGV[2] == '1' then return 0 end
redis.call('RPUSH', KEYS[2], ARGV[1])
return 1
"""

# KEYS: row, open, counters. ARGV: id, seconds for which it is remembered, then names and amounts of counters.
FINISH: Final = """
redis.call('HSET', KEYS[1], 'state', 'finished')
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('ZREM', KEYS[2], ARGV[1])
for i = 3, #ARGV, 2 do redis.call('HINCRBYFLOAT', KEYS[3], ARGV[i], ARGV[i + 1]) end
return 1
"""

# KEYS: row, open, counters. ARGV: id, since when the row was as it was found, now. Returns whether it still is.
REQUEUE: Final = """
if redis.call('HGET', KEYS[1], 'since') ~= ARGV[2] or redis.call('HGET', KEYS[1], 'state') == 'finished' then
    return 0
end
redis.call('HSET', KEYS[1], 'state', 'queued', 'since', ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
redis.call('HINCRBY', KEYS[3], 'requeued', 1)
return 1
"""
