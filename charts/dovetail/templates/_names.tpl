{{- define "dovetail.name" -}}
{{- default "karpenter" .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* A release that is called after the application or the chart gives its name to the objects. */ -}}
{{- define "dovetail.fullname" -}}
{{- $name := include "dovetail.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if or (contains $name .Release.Name) (contains .Chart.Name .Release.Name) -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "dovetail.selector" -}}
app.kubernetes.io/name: {{ include "dovetail.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "dovetail.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "dovetail.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.additionalLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Labels and annotations of an object: a list of the root, more labels, and more annotations, which win. */ -}}
{{- define "dovetail.metadataWith" -}}
{{- $root := index . 0 -}}
labels:
  {{- merge (dict) (default (dict) (index . 1)) (include "dovetail.labels" $root | fromYaml) | toYaml | nindent 2 }}
{{- with merge (dict) (default (dict) (index . 2)) (default (dict) $root.Values.additionalAnnotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "dovetail.metadata" -}}
{{- include "dovetail.metadataWith" (list . nil nil) -}}
{{- end -}}

{{- define "dovetail.serviceAccount" -}}
{{- if include "dovetail.on" (list . .Values.serviceAccount.create) -}}
{{- default (include "dovetail.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "dovetail.container" -}}
{{- default "controller" .Values.controller.containerName -}}
{{- end -}}

{{- define "dovetail.image" -}}
{{- $image := .Values.controller.image -}}
{{- $image.repository }}:{{ default .Chart.AppVersion $image.tag }}{{ with $image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{- /* What the size of the cluster comes to, unless resources are said. */ -}}
{{- define "dovetail.resources" -}}
{{- $sizes := dict "small" (list "250m" "512Mi") "medium" (list "1" "1Gi") "large" (list "2" "2Gi") "xlarge" (list "4" "4Gi") -}}
{{- if .Values.controller.resources -}}
{{- toYaml .Values.controller.resources -}}
{{- else if .Values.size -}}
{{- $size := get $sizes .Values.size -}}
requests: {cpu: {{ index $size 0 | quote }}, memory: {{ index $size 1 }}}
limits: {memory: {{ index $size 1 }}}
{{- end -}}
{{- end -}}

{{- /* A value that may be a template, as a string: a list of the root and the value. Nothing comes to nothing. */ -}}
{{- define "dovetail.text" -}}
{{- $value := index . 1 -}}
{{- if kindIs "string" $value -}}
{{- tpl $value (index . 0) -}}
{{- else if not (kindIs "invalid" $value) -}}
{{- toString $value -}}
{{- end -}}
{{- end -}}

{{- /* Something if a switch is on, quoted or not: a list of the root and the value. */ -}}
{{- define "dovetail.on" -}}
{{- if eq (include "dovetail.text" .) "true" }}yes{{ end -}}
{{- end -}}
