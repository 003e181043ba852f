# The images of all services, for one platform: the pipeline calls it once for each.
variable "CI_REGISTRY_IMAGE" {
  default = "localhost:5000/team"
}

variable "VERSION" {
  default = "dev"
}

# What the tag of this platform ends with, such as `-amd64`.
variable "SUFFIX" {
  default = ""
}

# What everything is built on; small, so that this example runs anywhere.
variable "BASE" {
  default = "busybox:1"
}

group "default" {
  targets = ["postgres", "django"]
}

target "_common" {
  args = {
    BASE = BASE
  }
  labels = {
    "org.opencontainers.image.version" = VERSION
  }
}

target "postgres" {
  inherits = ["_common"]
  context  = "postgres"
  tags     = ["${CI_REGISTRY_IMAGE}/postgres:${VERSION}${SUFFIX}"]
}

target "django" {
  inherits = ["_common"]
  context  = "django"
  target   = "main-stage"
  tags     = ["${CI_REGISTRY_IMAGE}/django:${VERSION}${SUFFIX}"]
}
