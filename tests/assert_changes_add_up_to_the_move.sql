-- A row here is a score that moved by another amount than its parts say: something
-- would have moved it that nobody is told of.

with

score_changes as (

    select * from {{ ref('score_changes') }}

),

disagreeing as (

    select *

    from score_changes

    where
        change_status is null
        or (
            change_status = 'ok'
            and coalesce(
                abs(
                    margin_change
                    - (features_change + model_change + calibration_change)
                ) > 1e-6,
                true
            )
        )

)

select * from disagreeing
