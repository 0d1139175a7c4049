package observe

import "testing"

func TestLabelsHaveKarpentersSpelling(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Empty": "empty", "WhenEmptyOrUnderutilized": "when_empty_or_underutilized", "Balanced": "balanced",
		"XIDErrors": "xid_errors", "": "",
	} {
		if got := SnakeCase(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
	if got := ResourceLabel("ephemeral-storage"); got != "ephemeral_storage" {
		t.Errorf("ephemeral-storage is %q", got)
	}
}
