"""What configs and recipes share: frozen dataclasses of plain values that check themselves."""

from dataclasses import asdict, dataclass, field, fields
from types import UnionType
from typing import ClassVar, Self, get_args, get_origin

from glanet.errors import ArgumentError

SCALES = (2, 3, 4)


class Config:
    """Base of a frozen dataclass whose fields are plain values, as JSON knows them.

    ``PRESETS`` maps a name to the fields in which that preset differs from the defaults.
    """

    PRESETS: ClassVar[dict[str, dict]] = {}

    def __post_init__(self):
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, list) and tuple in _kinds(entry.type):  # JSON has no tuples
                object.__setattr__(self, entry.name, tuple(value))
            self._check_type(entry)

    @classmethod
    def preset(cls, name: str, **overrides) -> Self:
        """The preset of that name, with ``overrides`` of single fields.

        Raises:
            ArgumentError: an unknown preset or field, or an impossible value.

        Example:
            >>> from glanet.training import Recipe
            >>> recipe = Recipe.preset("tiny", steps=300)
            >>> recipe.steps, recipe.batch, recipe.schedule
            (300, 16, 'cosine')
        """
        if name not in cls.PRESETS:
            raise ArgumentError(f"preset is {name!r}; expected one of {', '.join(cls.PRESETS)}")
        return cls.from_dict({**cls.PRESETS[name], **overrides})

    @classmethod
    def from_dict(cls, values: dict) -> Self:
        """These fields; a field left out keeps its default.

        Raises:
            ArgumentError: an unknown field, or an impossible value.
        """
        known = [entry.name for entry in fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise ArgumentError(f"unknown field {unknown[0]!r}; the fields are {', '.join(known)}")
        return cls(**values)

    def to_dict(self) -> dict:
        """All fields as plain values, for JSON."""
        return asdict(self)

    def require(self, condition, name, expected, found=None):
        """Raise ArgumentError unless ``condition`` holds for the field ``name``.

        ``expected`` says what its value should have been; ``found`` what it is, where that is more
        than the field's value.
        """
        if not condition:
            value = getattr(self, name) if found is None else found
            raise ArgumentError(f"{name} is {value}; expected {expected}")

    def require_at_least(self, **least):
        """Raise ArgumentError unless each field that is named has at least the value given."""
        for name, number in least.items():
            self.require(getattr(self, name) >= number, name, f"at least {number}")

    def _check_type(self, entry):
        value, kinds = getattr(self, entry.name), _kinds(entry.type)
        # bool is an int to Python, yet `layers=True` is a slip; an int is a fine float
        allowed = (*kinds, int) if float in kinds else kinds
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in kinds):
            names = " or ".join(kind.__name__ for kind in kinds)
            raise ArgumentError(f"{entry.name} is {value!r}; expected {names}")


def _kinds(annotation):
    """The classes that a field's annotation allows: ``int | tuple[int, ...]`` -> (int, tuple)."""
    parts = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    return tuple(get_origin(part) or part for part in parts)


@dataclass(frozen=True, kw_only=True)
class ModelShape(Config):
    """Base of the config of every network. ``network`` is its name in the register."""

    network: ClassVar[str]

    scale: int = 2  # of the output's sides to the input's: 2, 3 or 4

    def __post_init__(self):
        super().__post_init__()
        self.require(self.scale in SCALES, "scale", "2, 3 or 4")

    @classmethod
    def preset(cls, name: str, scale: int = 2, **overrides) -> Self:
        """The preset of that name at ``scale``, with ``overrides`` of single fields.

        Raises:
            ArgumentError: an unknown preset or field, or an impossible value.

        Example:
            >>> from glanet import ModelConfig
            >>> config = ModelConfig.preset("tiny", scale=4, window=4)
            >>> config.channels, config.window, config.scale
            (32, 4, 4)
        """
        return super().preset(name, scale=scale, **overrides)


def knob(default, help):
    """A field with the sentence that the command line shows of it."""
    return field(default=default, metadata={"help": help})
