-- Black-out calendar: no updates on days when nobody is there to help.
-- Dates are the device's own, "MM-DD" or "YYYY-MM-DD".

local blackout = {
    ["*"]  = { ["12-24"] = true, ["12-25"] = true, ["12-31"] = true,
               ["01-01"] = true },
    ["CN"] = { ["2027-02-05"] = true, ["2027-02-06"] = true,
               ["2027-02-07"] = true, ["10-01"] = true },
    ["JP"] = { ["01-02"] = true, ["01-03"] = true },
}

local function two(n)
    return (n < 10 and "0" or "") .. n
end

return function(ctx)
    if ctx.decision.reason ~= "offer" then
        return nil
    end

    local t = ctx.local_time
    local day = two(t.month) .. "-" .. two(t.day)
    local full = t.year .. "-" .. day
    local country = blackout[ctx.geo.country or ""]

    if blackout["*"][day] or (country and (country[day] or country[full]))
    then
        -- Come back shortly after midnight, spread over an hour.
        local left = 86400 - t.hour * 3600 - t.minute * 60
        return {
            action = "defer",
            after = left + fota.bucket(7, ctx.device.id) % 3600,
            message = "black-out day " .. full,
        }
    end
end
