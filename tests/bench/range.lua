-- Random ranges of one file: BENCH_PATH, BENCH_SIZE, BENCH_RANGE bytes.

function init(args)
    local path = os.getenv("BENCH_PATH")
    local size = tonumber(os.getenv("BENCH_SIZE"))
    local n = tonumber(os.getenv("BENCH_RANGE"))

    math.randomseed(20260103)
    requests = {}

    for i = 1, 4096 do
        local first = math.random(0, size - n)
        requests[i] = wrk.format("GET", path, { ["Range"] =
            string.format("bytes=%d-%d", first, first + n - 1) })
    end

    at = 0
end

function request()
    at = at % 4096 + 1
    return requests[at]
end
