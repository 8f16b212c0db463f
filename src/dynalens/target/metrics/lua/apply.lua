-- Apply writes in their order: take an item's old contribution out of its groups, put the new one in, tell what changed.
--
-- ARGV: generation, time of the writes, metrics that publish, then for each write: id, contribution, live payload of
-- the collection ('' when nobody listened), and for each metric that publishes the key of the contribution's group.
-- Returns a digit for each write (0: a version as high is held, 1: applied), then the keys that somebody else holds.
--
-- A contribution is the version in 19 digits, then a line for each metric: '-' when the metric does not count the item,
-- else each summed value and a tab ('!' for one that cannot be counted), then the group. A delete is the bare version.

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

-- What a line adds to a metric: one item and its sums, in its group; nil when the metric does not count the item.
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
  part.group = line:sub(from)
  return part
end

local function taken_out(part)
  local sums = {}
  for i, sum in ipairs(part.sums) do
    sums[i] = negated(sum)
  end
  return {group = part.group, items = -1, inexact = -part.inexact, sums = sums}
end

local function together(one, other)
  local sums = {}
  for i, sum in ipairs(one.sums) do
    sums[i] = add(sum, other.sums[i])
  end
  return {group = other.group, items = one.items + other.items, inexact = one.inexact + other.inexact, sums = sums}
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

local function change(metric, group, difference, key)
  local state = state_of(metric, group)
  state.items = state.items + difference.items
  state.inexact = state.inexact + difference.inexact
  for i = 1, metric.sums do
    state.sums[i] = add(state.sums[i], difference.sums[i])
  end
  state.key = state.key or key
  return state
end

local function publish(metric, state, difference)
  if not claim(state) then
    return
  end
  for _, value in ipairs(metric.values) do
    announce(metric, state.key, value, number(state, value), number(difference, value))
  end
end

local function values_json(metric, state)
  local members = {}
  for i, value in ipairs(metric.values) do
    members[i] = value.json .. number(state, value)
  end
  return '{' .. table.concat(members, ',') .. '}'
end

local function group_json(metric, group)
  local members = {}
  for fragment in group:gmatch('[^\31]+') do
    members[#members + 1] = metric.attributes[#members + 1] .. fragment
  end
  return '{' .. table.concat(members, ',') .. '}'
end

local function tell_viewers(metric, state, total)
  metric.revision = revision_of(metric) + 1
  if is_served and is_heard(metric.live) then
    redis.call('PUBLISH', metric.live, string.format('%.0f', metric.revision) .. ' {"metric":' .. metric.topic
      .. ',"group":' .. group_json(metric, state.group)
      .. ',"values":' .. (is_gone(state) and 'null' or values_json(metric, state))
      .. ',"total":' .. (total and values_json(metric, total) or 'null')
      .. ',"exact":' .. (state.inexact == 0 and 'true' or 'false') .. '}')
  end
end

local function recount(metric, old, new, key)
  if not (old or new) then
    return
  end
  local groups, whole = differences(old, new)
  local states, total = {}, metric.total and change(metric, TOTAL, whole, metric.total_key)
  for i, difference in ipairs(groups) do
    states[i] = change(metric, difference.group, difference, difference.items > 0 and key or nil)
  end
  for i, state in ipairs(states) do
    tell_viewers(metric, state, total)
    if is_served and metric.publishes then
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
  redis.call('HSET', contributions, id, offered)
  if #offered == VERSION then
    redis.call('ZADD', tombstones, written_at, id)
  elseif held and #held == VERSION then
    redis.call('ZREM', tombstones, id)
  end
  local old_lines, new_lines = lines(held or ''), lines(offered)
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
