{{- /* Fails if settings contradict each other: each pair names both, and what to do. */ -}}
{{- define "dovetail.pairs" -}}
{{- $s := .Values.settings -}}
{{- $g := default (dict) $s.featureGates -}}
{{- $a := default (dict) $s.awsFeatureGates -}}
{{- $repair := include "dovetail.on" (list . $g.nodeRepair) -}}
{{- $faults := list -}}
{{- range $gate, $value := dict "featureGates.terminateFirstRepair" $g.terminateFirstRepair "awsFeatureGates.rebootForRepair" $a.rebootForRepair -}}
{{- if and (include "dovetail.on" (list $ $value)) (not $repair) -}}
{{- $faults = append $faults (printf "settings.%s is about how nodes are repaired, and settings.featureGates.nodeRepair is off: set it, or unset settings.%s" $gate $gate) -}}
{{- end -}}
{{- end -}}
{{- if and (include "dovetail.on" (list . $s.useOpenReservations)) (not (include "dovetail.on" (list . $g.reservedCapacity))) -}}
{{- $faults = append $faults "settings.useOpenReservations needs settings.featureGates.reservedCapacity, which is off" -}}
{{- end -}}
{{- /* enableDRA says all three at once. */ -}}
{{- if include "dovetail.on" (list . $s.enableDRA) -}}
{{- $set := list -}}
{{- range $path, $value := dict "awsFeatureGates.draEFA" $a.draEFA "awsFeatureGates.draNVIDIAGPU" $a.draNVIDIAGPU "ignoreDRARequests" $s.ignoreDRARequests -}}
{{- if include "dovetail.text" (list $ $value) -}}
{{- $set = append $set (printf "settings.%s" $path) -}}
{{- end -}}
{{- end -}}
{{- with $set -}}
{{- $faults = append $faults (printf "settings.enableDRA is mutually exclusive with %s: unset them, or unset settings.enableDRA" (join ", " .)) -}}
{{- end -}}
{{- end -}}
{{- with $faults -}}
{{- fail (printf "settings that contradict each other:\n  - %s\n" (join "\n  - " .)) -}}
{{- end -}}
{{- end -}}
