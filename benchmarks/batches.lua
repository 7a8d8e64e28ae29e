-- Batches of 1,000 events as a server sends them; the key is in KRAFTER_KEY.
dofile("benchmarks/report.lua")
local agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
local bodies = {}
for number = 1, 8 do
  local events = {}
  for i = 1, 1000 do
    local n = number * 1000 + i
    local what = '"type":"pageview"'
    if i % 10 == 0 then what = '"type":"event","name":"signup","props":{"plan":"pro"}' end
    if i % 25 == 0 then what = '"type":"goal","name":"purchase","revenue":49.99,"currency":"USD"' end
    events[i] = '{' .. what .. ',"url":"https://example.com/products/' .. (n % 500)
      .. '","ip":"198.51.100.' .. (n % 250) .. '","user_agent":"' .. agent .. ' v' .. (n % 300) .. '"}'
  end
  bodies[number] = '{"events":[' .. table.concat(events, ",") .. ']}'
end
local sent = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. os.getenv("KRAFTER_KEY")

function request()
  sent = sent + 1
  return wrk.format(nil, nil, nil, bodies[sent % 8 + 1])
end
