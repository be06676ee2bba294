"""The encoder as a library."""

import encoder


def test_the_package_gives_its_public_names() -> None:
    assert set(encoder.__all__) == {"Encoder", "EncoderConfig", "Packet", "Picture", "encode", "load_kernels"}
    for name in encoder.__all__:
        assert getattr(encoder, name).__name__ == name
        assert getattr(encoder, name).__doc__


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    assert not hasattr(encoder, "decode")
