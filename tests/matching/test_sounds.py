"""What words sound like, many at once and one by one."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from apps.matching import letters, sounds
from apps.matching.hashing import hash_letters
from apps.matching.text import skeleton, sound

WORDS = st.text(st.sampled_from("abcdehgiklmnopqrstuvwxyz z12"), max_size=14)


@given(st.lists(WORDS, max_size=40))
def test_many_words_sound_as_each_of_them(words: list[str]) -> None:
    many = [*words, *["schwarz", "hhtschhh", "", "h", "aaa", "ieiei", "x"] * 60]
    assert letters.as_list(sounds.sounds(many)) == [sound(word) for word in many]
    assert letters.as_list(sounds.skeletons(many)) == [skeleton(word) for word in many]
    assert letters.as_list(sounds.skeletons(pa.array(many))) == [skeleton(word) for word in many]


def test_letters_of_more_than_one_byte_are_heard_one_by_one() -> None:
    many = ["müller", "schmidt"] * 200
    assert letters.as_list(sounds.sounds(many)) == [sound(word) for word in many]


@given(st.lists(st.text(max_size=12)))
def test_the_order_of_letters_does_not_matter_and_the_letters_do(texts: list[str]) -> None:
    turned = [text[::-1] if text.isascii() else text for text in texts]
    assert hash_letters(texts).tolist() == hash_letters(turned).tolist()
    assert hash_letters([*texts, "ab"] * 300).tolist() == hash_letters([*texts, "ab"]).tolist() * 300
    distinct = {"".join(sorted(text)) for text in texts}
    assert len(set(hash_letters(distinct).tolist())) == len(distinct)
    assert not any(number for text, number in zip(texts, hash_letters(texts).tolist(), strict=True) if not text)
