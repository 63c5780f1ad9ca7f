-- Classes whose end only the log tells: a crash came before it was written here. The append itself writes it now (sqlite_journal.EndProjection).
-- The bytes are the event {"type": "class_ended"} in MessagePack.
UPDATE class SET ended_at = (
    SELECT min(at) FROM record r WHERE r.session = class.session AND r.event = x'81A474797065AB636C6173735F656E646564'
) WHERE ended_at IS NULL;
