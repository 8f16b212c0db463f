"""Scripts: what the server does in one atomic step. Their text is Lua, in `lua/`.

A script that begins with `#!lua` is refused as a whole when the server is out of memory ("Script flags" in Valkey's
"Eval scripts"), so that no step is ever done by halves. Those that only free memory are let through then.
"""

from __future__ import annotations

from pathlib import Path

import redis

_FOLDER = Path(__file__).parent / "lua"
_SHEBANG = "#!lua\n"
_FREEING_SHEBANG = "#!lua flags=allow-oom\n"

_RAISE_EPOCH = """
-- Epochs have 31 bits, which a Lua number holds exactly.
if tonumber(ARGV[1]) > tonumber(redis.call('HGET', KEYS[1], 'epoch') or 0) then
  redis.call('HSET', KEYS[1], 'epoch', ARGV[1])
end
return 1
"""

_MARK = """
local run = redis.call('INFO', 'server'):match('run_id:(%x+)')
if run ~= ARGV[1] then
  return 0
end
for field = 2, #ARGV, 2 do
  local held = redis.call('HGET', KEYS[1], ARGV[field])
  if not held or tonumber(held:match('%d+')) <= tonumber(ARGV[field + 1]:match('%d+')) then
    redis.call('HSET', KEYS[1], ARGV[field], ARGV[field + 1])
  end
end
return 1
"""

_BEGIN = """
local run = redis.call('INFO', 'server'):match('run_id:(%x+)')
if run ~= ARGV[1] then
  return 0
end
local marks = {}
for field = 2, #ARGV, 3 do
  local epoch, mark = ARGV[field + 1], ARGV[field + 2]
  local held = redis.call('HGET', KEYS[1], ARGV[field])
  if held then
    -- Its position stays as it is written: a rank has more digits than a Lua number.
    mark = tonumber(held:match('%d+')) <= tonumber(epoch) and held:gsub('%d+', epoch, 1)
  end
  if mark then
    redis.call('HSET', KEYS[1], ARGV[field], mark)
  end
  marks[#marks + 1] = mark or ''
end
return marks
"""

_FORGET_MARKS = """
for field = 1, #ARGV, 2 do
  local held = redis.call('HGET', KEYS[1], ARGV[field])
  if held and tonumber(held:match('%d+')) <= tonumber(ARGV[field + 1]) then
    redis.call('HDEL', KEYS[1], ARGV[field])
  end
end
return 1
"""


class Scripts:
    """The scripts, ready to be called; the client sends a script's text when the server does not know it.

    Attributes:
        apply: Applies writes (`lua/apply.lua`).
        serve: Lets readers see a generation (`lua/serve.lua`).
        drop: Forgets a generation (`lua/drop.lua`).
        sweep: Forgets old tombstones (`lua/sweep.lua`).
        expire: Forgets groups whose time buckets are no longer kept (`lua/expire.lua`).
        tell: Tells viewers of documents (`lua/tell.lua`).
        raise_epoch: Remembers the epoch ARGV[1] in the hash KEYS[1], unless a higher one is remembered.
        begin: Gives values of the hash KEYS[1] the epochs of new sessions, and returns them: ARGV[2…] has a field, the
            epoch, and the value where there is none. Empty where a value has a higher epoch; 0, with nothing done, if
            this is not the run of the server with the id ARGV[1].
        mark: Sets fields and values ARGV[2…] in the hash KEYS[1], where the first number of a value, its epoch, is not
            below that of the value held, if this is the run of the server with the id ARGV[1].
        forget_marks: Removes fields of the hash KEYS[1], where the epoch of the value is not above the one that follows
            the field in ARGV.
    """

    def __init__(self, client: redis.Redis) -> None:
        self.apply = client.register_script(_text("apply"))
        self.serve = client.register_script(_text("serve"))
        self.drop = client.register_script(_text("drop", _FREEING_SHEBANG))
        self.sweep = client.register_script(_text("sweep", _FREEING_SHEBANG))
        self.expire = client.register_script(_text("expire", _FREEING_SHEBANG))
        self.tell = client.register_script(_text("tell"))
        self.raise_epoch = client.register_script(_SHEBANG + _RAISE_EPOCH)
        self.begin = client.register_script(_SHEBANG + _BEGIN)
        self.mark = client.register_script(_SHEBANG + _MARK)
        self.forget_marks = client.register_script(_FREEING_SHEBANG + _FORGET_MARKS)


def _text(name: str, shebang: str = _SHEBANG) -> str:
    return shebang + (_FOLDER / "library.lua").read_text() + (_FOLDER / f"{name}.lua").read_text()
