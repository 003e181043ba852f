//! Workflows and Jenkins files in shapes that are common.

/// GitHub Actions, by name.
pub(super) const GITHUB: [(&str, &str); 6] = [
    ("rust", RUST),
    ("node", NODE),
    ("python", PYTHON),
    ("release", RELEASE),
    ("odd", ODD),
    ("after", AFTER),
];

const RUST: &str = "name: CI
on:
  push: {branches: [main, 'release/**']}
  pull_request:
env: {CARGO_TERM_COLOR: always}
jobs:
  test:
    runs-on: ${{ matrix.os }}
    strategy:
      fail-fast: false
      matrix:
        os: [ubuntu-latest, windows-latest]
        rust: [stable, beta]
        exclude: [{os: ubuntu-latest, rust: beta}]
        include: [{os: ubuntu-latest, rust: 1.85.0, flags: --no-default-features}]
    steps:
      - uses: actions/checkout@v4
      - uses: dtolnay/rust-toolchain@master
        with: {toolchain: '${{ matrix.rust }}', components: clippy}
      - uses: Swatinem/rust-cache@v2
      - run: cargo test ${{ matrix.flags }}
      - name: Lint
        if: matrix.rust == 'stable' && github.event_name == 'push'
        run: cargo clippy -- -D warnings
  fmt:
    needs: test
    runs-on: ubuntu-latest
    timeout-minutes: 10
    steps:
      - uses: actions/checkout@v4
      - uses: dtolnay/rust-toolchain@nightly
      - run: cargo fmt --check
";

const NODE: &str = "name: Node
on: [push]
jobs:
  test:
    runs-on: ubuntu-latest
    services:
      db:
        image: postgres:17
        env: {POSTGRES_PASSWORD: '${{ secrets.DB_PASSWORD }}'}
        ports: ['5432:5432']
    steps:
      - uses: actions/checkout@v4
        with: {submodules: recursive}
      - uses: actions/setup-node@v4
        with: {node-version: 20.x, cache: npm}
      - uses: actions/cache@v4
        with:
          path: |
            node_modules
            ~/.npm
          key: npm-${{ runner.os }}-${{ hashFiles('**/package-lock.json') }}
          restore-keys: npm-
      - run: npm ci
      - run: npm test
        env: {DATABASE_URL: 'postgres://postgres:${{ secrets.DB_PASSWORD }}@db/test'}
      - uses: actions/upload-artifact@v4
        if: always()
        with: {name: coverage, path: coverage/}
      - uses: codecov/codecov-action@v4
";

const PYTHON: &str = "name: Python
on: {push: {tags: ['v*']}, schedule: [{cron: '0 3 * * 1'}]}
jobs:
  test:
    runs-on: ubuntu-24.04
    container: {image: 'python:${{ matrix.python }}'}
    strategy: {matrix: {python: ['3.12', '3.13']}}
    defaults: {run: {working-directory: src}}
    steps:
      - uses: actions/checkout@v4
      - run: |
          python - <<'END'
          print('shifted', 1 << 2)
          END
      - shell: python
        name: In Python
        run: print('hello')
      - run: echo \"version=1\" >> \"$GITHUB_OUTPUT\"
        id: version
        continue-on-error: true
";

const RELEASE: &str = "on: workflow_dispatch
permissions: {contents: write}
concurrency: release
jobs:
  build:
    runs-on: ubuntu-latest
    outputs: {tag: '${{ steps.tag.outputs.tag }}'}
    steps:
      - uses: actions/checkout@v4
      - run: make dist
      - uses: actions/upload-artifact@v4
        with: {name: dist, path: 'dist/*.tar.gz'}
  publish:
    needs: [build]
    if: startsWith(github.ref, 'refs/tags/')
    environment: production
    runs-on: ubuntu-latest
    steps:
      - uses: actions/download-artifact@v4
        with: {name: dist}
      - run: ./publish.sh '${{ needs.build.outputs.tag }}' ${{ github.sha }} '${{ github.actor }}'
        env: {TOKEN: '${{ secrets.GITHUB_TOKEN }}'}
      - uses: docker/build-push-action@v6
      - uses: ./.github/actions/own
";

const AFTER: &str = "jobs:
  build:
    runs-on: ubuntu-latest
    strategy: {matrix: {v: [1, 2]}}
    steps: [{run: make}]
  check:
    runs-on: ubuntu-latest
    steps: [{run: make check}]
  report:
    needs: [build, check]
    if: ${{ always() }}
    runs-on: ubuntu-latest
    steps: [{run: make report}]
  roll-back:
    needs: check
    if: failure() && github.ref == 'refs/heads/main'
    runs-on: ubuntu-latest
    steps: [{run: make undo}]
  tell:
    needs: [build, check]
    if: failure()
    runs-on: ubuntu-latest
    steps: [{run: make alarm}]
";

const ODD: &str = "jobs:
  image:
    uses: acme/shared/.github/workflows/build.yml@v1
    with: {a: b}
  mac:
    runs-on: macos-14
    steps:
      - run: sw_vers
  matrix:
    runs-on: ubuntu-latest
    strategy: {matrix: '${{ fromJSON(needs.x.outputs.y) }}', max-parallel: 2}
    continue-on-error: true
    if: contains(github.event.head_commit.message, 'x')
    steps:
      - run: echo '<< not a parameter >>'
      - uses: actions/github-script@v7
        if: github.event.number > 3
        with: {script: 'x'}
";

/// Declarative Jenkins files, by name.
pub(super) const JENKINS: [(&str, &str); 3] =
    [("maven", MAVEN), ("stages", STAGES), ("matrix", MATRIX)];

const MAVEN: &str = r#"// Build of a library
@Library('shared') _
pipeline {
    agent { docker { image 'maven:3.9'; args '-v $HOME/.m2:/root/.m2' } }
    options { timeout(time: 1, unit: 'HOURS'); timestamps() }
    environment {
        REGION = 'eu'
        TOKEN = credentials('deploy-token')
    }
    triggers { cron('H 4 * * *') }
    stages {
        stage('Build') {
            steps {
                checkout scm
                sh 'mvn -B package'
                sh """
                  echo "${env.BRANCH_NAME} \$HOME ${params.WHO}"
                """
            }
            post {
                always { junit 'target/surefire-reports/*.xml' }
                failure { mail to: 'a@b.c', subject: 'broken' }
            }
        }
        stage('Deploy') {
            when { allOf { branch 'main'; not { environment name: 'REGION', value: 'us' } } }
            input { message 'Deploy?' }
            steps {
                withCredentials([string(credentialsId: 'x', variable: 'X')]) {
                    sh './deploy.sh'
                }
                script {
                    if (env.A == 'b') { echo 'no' } else { echo 'yes' }
                }
                archiveArtifacts artifacts: 'target/*.jar', fingerprint: true
            }
        }
    }
    post { always { cleanWs() } }
}
"#;

const MATRIX: &str = r#"pipeline {
    agent none
    stages {
        stage('Lint') { steps { sh 'make lint' } }
        stage('Everywhere') {
            matrix {
                axes {
                    axis { name 'PLATFORM'; values 'linux', 'mac os' }
                    axis { name 'DB'; values 'pg', 'sqlite', 'none' }
                }
                excludes {
                    exclude {
                        axis { name 'PLATFORM'; values 'mac os' }
                        axis { name 'DB'; notValues 'sqlite', 'none' }
                    }
                    exclude { axis { name 'DB'; values 'none' } }
                }
                environment { MODE = 'fast' }
                stages {
                    stage('Build') { steps { sh 'make build P="$PLATFORM"' } }
                    stage('Test') {
                        when { expression { env.DB != 'x' } }
                        steps { sh "make test DB=${DB}" }
                    }
                }
                post { always { junit 'out/*.xml' } }
            }
        }
        stage('Ship') { steps { sh 'make ship' } }
    }
}
"#;

const STAGES: &str = r#"pipeline {
    agent none
    stages {
        stage('Prepare') { agent { label 'linux' } steps { sh 'make prepare' } }
        stage('Tests') {
            failFast true
            parallel {
                stage('Unit') { steps { sh script: 'make unit', returnStatus: true } }
                stage('Slow') {
                    stages {
                        stage('Start') { steps { echo "it's starting" } }
                        stage('Go') {
                            when { expression { return params.SLOW } }
                            steps { dir('slow') { sh 'make slow' } retry(3) { sh 'flaky' } }
                        }
                    }
                }
            }
        }
        stage('Windows') { steps { bat 'build.cmd' } }
    }
}
"#;
