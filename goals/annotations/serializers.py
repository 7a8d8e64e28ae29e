"""Serializers of annotations."""

from analytics.questions.period_query import FromQuerySerializer
from goals.models import Annotation
from krafter.fields import DayField, Fields, NameField, StrictModelSerializer


class AnnotationSerializer(StrictModelSerializer):
    text = NameField()

    class Meta:
        model = Annotation
        fields = ("id", "text", "created_at")
        read_only_fields = ("created_at",)

    def get_fields(self) -> Fields:
        # A field named `date` would hide `datetime.date` in the class body.
        own = super().get_fields()
        return {"id": own.pop("id"), "date": DayField(source="day"), **own}


class AnnotationQuerySerializer(FromQuerySerializer):
    """Limits the list to days from `from` to `to`, both inclusive."""

    to = DayField(required=False)
