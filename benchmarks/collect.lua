-- Page views, events and goals as many different visitors would send them.
dofile("benchmarks/report.lua")
local agents = {
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36",
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
  "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
  "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
}
local referrers = { "", "https://www.google.com/", "https://news.ycombinator.com/item?id=1", "https://example.com/pricing" }
-- As a proxy sends them: each from another address, half of them IPv6.
local many_addresses = os.getenv("BENCHMARK_ADDRESSES") == "many"
local sent = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "text/plain"

function request()
  sent = sent + 1
  local page = "https://example.com/products/" .. (sent % 500)
  if sent % 7 == 0 then page = page .. "?utm_source=letter" .. (sent % 5) end
  local rest = ',"url":"' .. page .. '","referrer":"' .. referrers[sent % 4 + 1] .. '"}'
  local what = '"type":"pageview"'
  if sent % 10 == 0 then what = '"type":"event","name":"signup","props":{"plan":"pro"}' end
  if sent % 25 == 0 then what = '"type":"goal","name":"purchase","revenue":49.99,"currency":"USD"' end
  wrk.headers["User-Agent"] = agents[sent % 4 + 1] .. " v" .. (sent % 300)
  if many_addresses then
    local high, low = math.floor(sent / 65536) % 256, sent % 65536
    if sent % 2 == 0 then
      wrk.headers["X-Forwarded-For"] = string.format("81.%d.%d.%d", high, math.floor(low / 256), low % 256)
    else
      wrk.headers["X-Forwarded-For"] = string.format("2a02:%x:%x:1::1", high + 256, low)
    end
  end
  return wrk.format(nil, nil, nil, '{"site":"sk_abc123def456",' .. what .. rest)
end
