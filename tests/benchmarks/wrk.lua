-- SPDX-License-Identifier: GPL-3.0-or-later
-- Sends the bodies of a file in turn, and writes each answer's time: wrk's own percentiles are corrected by samples that
-- it makes up. Each thread has one connection, so that a thread's clock is its connection's.

local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } benchmark_time;
  int clock_gettime(int clock, benchmark_time *time);
]]

local MONOTONIC = 1
local threads = {}
local time = ffi.new("benchmark_time")

local function now()
  ffi.C.clock_gettime(MONOTONIC, time)
  return tonumber(time.seconds) * 1e6 + tonumber(time.nanoseconds) / 1e3
end

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

-- Arguments: the file of bodies, how many threads there are, where to write.
function init(arguments)
  requests = {}
  for body in io.lines(arguments[1]) do
    table.insert(requests, wrk.format("POST", "/invocations", { ["Content-Type"] = "application/json" }, body))
  end
  output = arguments[3]
  -- The threads start at places that are evenly apart.
  current = math.floor(number * #requests / tonumber(arguments[2]))
  count, refused, which, taken, started = 0, 0, {}, {}, 0
end

function request()
  current = current % #requests + 1
  started = now()
  return requests[current]
end

function response(status, headers, body)
  if status == 200 then
    count = count + 1
    which[count] = current - 1
    taken[count] = now() - started
  else
    refused = refused + 1
    refusal = status
  end
end

function done(summary, latency, requests)
  local path = threads[1]:get("output")
  local file = assert(io.open(path, "w"))
  local refused, refusal = 0, 0
  for _, thread in ipairs(threads) do
    refused = refused + thread:get("refused")
    refusal = thread:get("refusal") or refusal
  end
  file:write(string.format("%d %d %d %d %d %d %d\n", summary.duration, refused, refusal, summary.errors.connect,
    summary.errors.read, summary.errors.write, summary.errors.timeout))
  for _, thread in ipairs(threads) do
    local which, taken = thread:get("which"), thread:get("taken")
    for index = 1, thread:get("count") do
      file:write(string.format("%d %.0f\n", which[index], taken[index]))
    end
  end
  file:close()
end
