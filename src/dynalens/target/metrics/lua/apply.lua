-- Apply writes in their order: take an item's old contribution out of its groups, put the new one in, tell what changed.
--
-- ARGV: generation, time of the writes, metrics that publish, then for each write: id, contribution, live payload of
-- the collection ('' when nobody listened), and for each metric that publishes the key of the contribution's group.
-- Returns a digit for each write (0: a version as high is held, 1: applied), then the keys that somebody else holds.
--
-- A contribution is the version in 19 digits, then a line for each metric: '-' when the metric does not count the item,
-- else each summed value ('!' for one that cannot be counted) and each token (empty for no value), a tab after each, then
-- the group. A delete is the bare version.

local generation, written_at, publishing = ARGV[1], ARGV[2], tonumber(ARGV[3])
local FIRST, STRIDE = 4, 3 + publishing
local VERSION = 19

local known = redis.call('HMGET', collection, 'serving', 'layout:' .. generation)
if not known[2] then
  return lost(generation)
end
local is_served = known[1] == generation
local layout = cjson.decode(known[2])
local metrics = open_metrics(layout, generation)
local contributions = collection .. ':' .. generation .. ':contributions'
local tombstones = collection .. ':' .. generation .. ':tombstones'

local function lines(contribution)
  local found, from = {}, VERSION + 2
  while from <= #contribution + 1 do
    local to = contribution:find('\n', from, true) or #contribution + 1
    found[#found + 1] = contribution:sub(from, to - 1)
    from = to + 1
  end
  return found
end

-- What a line adds to a metric: one item, its sums and its tokens, in its group; nil when it is not counted.
local function parsed(metric, line)
  if line == nil or line == '-' then
    return nil
  end
  local part, from = {items = 1, inexact = 0, sums = {}}, 1
  for i = 1, metric.sums do
    local to = line:find('\t', from, true)
    part.sums[i] = line:sub(from, to - 1)
    if part.sums[i] == '!' then
      part.inexact, part.sums[i] = 1, '0'
    end
    from = to + 1
  end
  if metric.tokens > 0 then
    part.entering = {}
  end
  for place = 1, metric.tokens do
    local to = line:find('\t', from, true)
    part.entering[place] = line:sub(from, to - 1)
    from = to + 1
  end
  part.group = line:sub(from)
  return part
end

-- Where buckets follow the time of the change, an item stays in its bucket for as long as it counts as it does.
local function in_its_bucket(metric, old, new)
  if old == '-' or new == '-' then
    return new
  end
  local function elsewhere(line)
    local parts, group = line:match('^(.*\t)(.*)$')
    group = group or line
    return (parts or '') .. group:sub(has_bucket(metric, group) and BUCKET + 1 or #'null' + 1)
  end
  return elsewhere(old) == elsewhere(new) and old or new
end

-- Tokens are put into differences only where a metric has any: fields that are not there keep tables small, and those
-- of metrics that only count and sum as cheap as they can be.

local function taken_out(part)
  local sums = {}
  for i, sum in ipairs(part.sums) do
    sums[i] = negated(sum)
  end
  local left = {group = part.group, items = -1, inexact = -part.inexact, sums = sums}
  if part.entering then
    left.leaving = part.entering
  end
  return left
end

local function together(one, other)
  local sums = {}
  for i, sum in ipairs(one.sums) do
    sums[i] = add(sum, other.sums[i])
  end
  local both = {group = other.group, items = one.items + other.items, inexact = one.inexact + other.inexact, sums = sums}
  if one.leaving then
    both.leaving, both.entering = one.leaving, other.entering
  end
  return both
end

-- What a metric's groups change by, the one that the item leaves first, and what its total changes by.
local function differences(old, new)
  if not old then
    return {new}, new
  end
  local left = taken_out(old)
  if not new then
    return {left}, left
  end
  local both = together(left, new)
  if old.group == new.group then
    return {both}, both
  end
  return {left, new}, both
end

-- Counts a token of a group up or down; true if its value is new there, or no longer there.
local function count_token(metric, group, place, token, by)
  local key, name = values_key(metric, group), place .. ':' .. token
  local items = redis.call('HINCRBY', key, name, by)
  if items == 0 then
    redis.call('HDEL', key, name)
  elseif items ~= 1 or by < 0 then
    return false
  end
  if place <= metric.ordered then
    redis.call(items == 0 and 'ZREM' or 'ZADD', order_key(metric, group), unpack(items == 0 and {name} or {0, name}))
  end
  return true
end

-- The least or the greatest number of a group; every token of a place lies between `place:` and `place;`.
local function outermost(metric, group, value)
  local from, to = '[' .. value.place .. ':', '(' .. value.place .. ';'
  local command = value.kind == 'min' and 'ZRANGEBYLEX' or 'ZREVRANGEBYLEX'
  if value.kind == 'max' then
    from, to = to, from
  end
  local name = redis.call(command, order_key(metric, group), from, to, 'LIMIT', 0, 1)[1]
  return name and plain_number(name:match(':(.+)')) or value.nothing
end

-- Counts a token among those that a group has ever had; gives the new estimate if it changed.
local function estimate(metric, group, value, token)
  local key = estimate_key(metric, value.stored .. ':' .. group)
  return redis.call('PFADD', key, token) == 1 and string.format('%.0f', redis.call('PFCOUNT', key))
end

-- Counts the tokens that differ, those that enter first, and finds the values anew that they are told from.
local function change_tokens(metric, state, difference)
  local moved, distinct = {}, {}
  for place = 1, metric.tokens - metric.approximate do
    local leaving = difference.leaving and difference.leaving[place] or ''
    local entering = difference.entering and difference.entering[place] or ''
    if entering ~= leaving then
      local is_new = entering ~= '' and count_token(metric, state.group, place, entering, 1)
      local is_left = leaving ~= '' and count_token(metric, state.group, place, leaving, -1)
      moved[place], distinct[place] = is_new or is_left, (is_new and 1 or 0) - (is_left and 1 or 0)
    end
  end
  for _, value in ipairs(metric.stored) do
    if value.place > metric.tokens - metric.approximate then
      local entering = difference.entering and difference.entering[value.place] or ''
      if entering ~= '' then
        state.stored[value.stored] = estimate(metric, state.group, value, entering) or state.stored[value.stored]
      end
    elseif moved[value.place] then
      state.stored[value.stored] = value.kind ~= 'distinct' and outermost(metric, state.group, value)
        or string.format('%.0f', state.stored[value.stored] + distinct[value.place])
    end
  end
end

-- What a state's values with a kind are now, by their names: they have no difference but that between their texts.
local function shown(metric, state)
  local texts = {}
  for _, value in ipairs(metric.kinds) do
    texts[value.json] = number(state, value)
  end
  return texts
end

local function change(metric, group, difference, key)
  local state = state_of(metric, group)
  if metric.publishes and #metric.kinds > 0 then
    state.before = shown(metric, state)
  end
  state.items = state.items + difference.items
  state.inexact = state.inexact + difference.inexact
  for i = 1, metric.sums do
    state.sums[i] = add(state.sums[i], difference.sums[i])
  end
  if metric.tokens > 0 then
    change_tokens(metric, state, difference)
  end
  state.key = state.key or key
  return state
end

local function publish(metric, state, difference)
  if not claim(state) then
    return
  end
  for _, value in ipairs(metric.values) do
    local now = number(state, value)
    local delta = value.kind and changed_by(value, state.before[value.json], now) or number(difference, value)
    announce(metric, state.key, value, now, delta)
  end
end

local function recount(metric, old, new, key)
  if not (old or new) then
    return
  end
  local groups, whole = differences(old, new)
  local states, total = {}, metric.total and change(metric, TOTAL, whole, metric.total_key)
  for i, difference in ipairs(groups) do
    if metric.buckets and is_past(metric, difference.group) then
      -- Nothing is kept of it; viewers hear once more that it is gone, for the sake of the total.
      states[i] = {group = difference.group, items = 0, inexact = 0}
    else
      states[i] = change(metric, difference.group, difference, difference.items > 0 and key or nil)
    end
  end
  for i, state in ipairs(states) do
    tell_viewers(metric, state, total, is_served)
    if is_served and metric.publishes and not is_past(metric, state.group) then
      publish(metric, state, groups[i])
    end
  end
  if is_served and metric.total_key then
    publish(metric, total, whole)
  end
end

local function tell_document(id, payload)
  if is_served and is_heard(layout.live) then
    if payload == '' then
      payload = '{"collection":' .. cjson.encode(layout.collection) .. ',"id":' .. cjson.encode(id)
        .. ',"document":null,"truncated":true}'
    end
    local revision = redis.call('HINCRBY', collection, 'revision', 1)
    redis.call('PUBLISH', layout.live, string.format('%.0f', revision) .. ' ' .. payload)
  end
end

-- The same version again is applied where a value could not be counted: a retry hears of it, a redrive may mend it.
local function is_stale(held, offered)
  local theirs, ours = offered:sub(1, VERSION), held:sub(1, VERSION)
  return theirs < ours or (theirs == ours and not held:find('!\t', VERSION, true))
end

local function apply(first)
  local id, offered, payload = ARGV[first], ARGV[first + 1], ARGV[first + 2]
  local held = redis.call('HGET', contributions, id)
  if held and is_stale(held, offered) then
    return '0'
  end
  local old_lines, new_lines = lines(held or ''), lines(offered)
  for i, metric in ipairs(metrics) do
    if metric.own_time and old_lines[i] and new_lines[i] then
      new_lines[i] = in_its_bucket(metric, old_lines[i], new_lines[i])
      offered = table.concat({offered:sub(1, VERSION), unpack(new_lines)}, '\n')
    end
  end
  redis.call('HSET', contributions, id, offered)
  if #offered == VERSION then
    redis.call('ZADD', tombstones, written_at, id)
  elseif held and #held == VERSION then
    redis.call('ZREM', tombstones, id)
  end
  local key = first + 2
  for i, metric in ipairs(metrics) do
    key = key + (metric.publishes and 1 or 0)
    if old_lines[i] ~= new_lines[i] then
      recount(metric, parsed(metric, old_lines[i]), parsed(metric, new_lines[i]), metric.publishes and ARGV[key])
    end
  end
  tell_document(id, payload)
  return '1'
end

local answers = {}
for first = FIRST, #ARGV, STRIDE do
  answers[#answers + 1] = apply(first)
end
for _, metric in ipairs(metrics) do
  store_all(metric)
end
return {table.concat(answers), unpack(taken)}
