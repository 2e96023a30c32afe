"""Exceptions that a driver raises to say in which way a request failed. Any other exception is the kind `failed`."""


class DriverError(Exception):
    """Something went wrong while running; `kind` is what the harness records."""

    kind = "failed"


class Unsupported(DriverError):
    """The product cannot run this, ever. Name the operator that is missing."""

    kind = "unsupported"


class ProgramError(DriverError):
    """The program itself is wrong: SQL that does not parse, a column that is not there."""

    kind = "program"


class DataError(DriverError):
    """A table cannot be read."""

    kind = "data"


class OutOfMemory(DriverError):
    """The memory limit is too small for this."""

    kind = "out_of_memory"


class Cancelled(DriverError):
    """The run was told to stop, and did."""

    kind = "cancelled"


class ProtocolError(DriverError):
    """A message that makes no sense now, or at all."""

    kind = "protocol"


class ResultError(DriverError):
    """The answer could not be written where the harness wants it."""

    kind = "harness"
