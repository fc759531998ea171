-- A row here is a file of which lines were lost or doubled on the way: what was
-- delivered is not what was accepted, excluded and refused, together.

select *

from {{ ref('input_files') }}

where
    lines_count
    <> accepted_lines_count + excluded_lines_count + refused_lines_count
