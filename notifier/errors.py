"""Every exception that crosses an edge of notifier."""


class NotifierError(Exception):
    """Base of all of notifier's own exceptions."""


class SettingsError(NotifierError):
    """A setting is missing or wrong; the message is one line that names the variable."""


class SchemaError(NotifierError):
    """The database's schema is not the one this code needs; the message says what to run."""


class StoreUnavailableError(NotifierError):
    """The database did not answer in time; what was asked may or may not have happened."""


class StoreTooSlowError(StoreUnavailableError):
    """The database needed too long for one statement, and gave up."""


class StoreBusyError(StoreUnavailableError):
    """Another transaction holds what was asked for; nothing was changed: ask again shortly."""


class StoreRefusedError(NotifierError):
    """The database refuses a value or a row, whenever it is asked; nothing was changed."""


class PublishError(NotifierError):
    """The broker did not confirm a message; it may still arrive."""


class QueueUnavailableError(NotifierError):
    """The broker did not answer in time."""


class TopologyError(NotifierError):
    """The broker's queues, exchanges or policies are not what notifier needs."""


class TemplateError(NotifierError):
    """A template cannot be parsed or filled; the message says which variable and why."""


class AttachmentError(NotifierError):
    """An attachment of a mail is not there any more."""


class AttachmentsWaitError(NotifierError):
    """The attachments of a mail have to wait for those of others."""


class WorkshopUnavailableError(NotifierError):
    """The process that looks at drafts cannot be started; nothing was found out."""


class RecipientError(NotifierError):
    """A recipient is not an address of its channel; the message says what is expected."""


class UnsignedError(NotifierError):
    """A callback is not signed by its provider, or not for this URL and body.

    The message says what is wrong, to whoever called, and quotes nothing of the callback.
    """


class UncheckedError(NotifierError):
    """What a callback takes to be checked or answered cannot be had now: it is to come again."""


class MalformedError(NotifierError):
    """A callback's body is not what its provider sends."""
