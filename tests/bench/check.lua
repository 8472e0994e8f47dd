-- Asks as many devices do: random ids and random client addresses from a list
-- made before the run, the same for a variant and its baseline.
--
-- LuaJIT's hash of long strings looks at their ends, the middle and a quarter
-- and no further: so the id stands in the middle, addresses are of one length,
-- and no other long string is made for a request.

local BODY = 400

local function post(path, version, close)
    local head = "POST " .. path .. " HTTP/1.1\r\nHost: localhost\r\n"
                 .. "Content-Type: application/json\r\nContent-Length: "
                 .. BODY .. "\r\n" .. close .. "X-Real-IP: "
    local a = '{"tenant":"bench","product":"cam","version":"' .. version
              .. '","attrs":{"hw":"3","fw":"stable","battery":"87",'
              .. '"net":"wifi","a":"'
    local b = '"},"device":"'
    local c = '","pad":"'
    local rest = BODY - #a - #b - 12 - #c - 2
    local all = #head + 15 + 4 + BODY
    local before = math.floor(all / 2) - (all - BODY) - #a - #b - 8

    before = math.max(0, math.min(before, rest))

    local middle = "\r\n\r\n" .. a .. string.rep("x", before) .. b
    local tail = c .. string.rep("x", rest - before) .. '"}'

    return function(ip, id)
        return head .. ip .. middle .. id .. tail
    end
end

local function get(path, version, close)
    local head = "GET " .. path .. "?tenant=bench&product=cam&version="
                 .. version .. "&device="
    local middle = " HTTP/1.1\r\nHost: localhost\r\n" .. close
                   .. "X-Real-IP: "

    return function(ip, id)
        return head .. id .. middle .. ip .. "\r\n\r\n"
    end
end

function init(args)
    local kind = os.getenv("BENCH_METHOD") == "GET" and get or post
    local make = kind(args[1] or "/fota/v1/check",
                      os.getenv("BENCH_VERSION") or "1.2.0",
                      os.getenv("BENCH_CLOSE") and "Connection: close\r\n"
                      or "")
    local devices = tonumber(os.getenv("BENCH_DEVICES") or "1000000")
    local random = math.random

    math.randomseed(20260101)
    requests = {}

    for i = 1, 65536 do
        requests[i] = make(
            string.format("%d.%d.%d.%d", random(100, 223), random(100, 255),
                          random(100, 255), random(100, 254)),
            string.format("dev-%08d", random(0, devices - 1)))
    end

    at = random(1, 65536)
end

function request()
    at = at % 65536 + 1
    return requests[at]
end
