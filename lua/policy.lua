-- The default hook: it changes nothing.  Copy it, or one of examples/, and
-- name the copy in nginx.conf:  fota_lua /etc/fota/policy.lua;
-- The contract is in README.md beside this file.

return function(ctx)
    return nil
end
