-- The places of devices by their GeoNames ids, which scopes of rollouts may
-- name; 0 is not known.  A step may be applied again where it was cut off,
-- and MySQL has no ADD COLUMN IF NOT EXISTS.

SET @step = IF((SELECT COUNT(*) FROM information_schema.columns
                WHERE table_schema = DATABASE() AND table_name = 'device'
                AND column_name = 'city_id') = 0,
    'ALTER TABLE device
        ADD COLUMN country_id INT UNSIGNED NOT NULL DEFAULT 0 AFTER city,
        ADD COLUMN region_id INT UNSIGNED NOT NULL DEFAULT 0 AFTER country_id,
        ADD COLUMN city_id INT UNSIGNED NOT NULL DEFAULT 0 AFTER region_id',
    'DO 0');

PREPARE step FROM @step;

EXECUTE step;

DEALLOCATE PREPARE step;
