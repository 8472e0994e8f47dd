-- Rate class by region: slow links get a low limit, so that one download does
-- not fill them; classes are those of fota_rate_class in nginx.conf.

local by_country = { IN = 2, ID = 2, BR = 1 }
local by_region = { ["CN/XZ"] = 3, ["CN/QH"] = 3 }

return function(ctx)
    local geo = ctx.geo

    if not geo.known then
        return nil
    end

    local class = by_region[(geo.country or "") .. "/"
                            .. (geo.region_code or "")]
                  or by_country[geo.country or ""]

    if class then
        return { rate_class = class }
    end
end
