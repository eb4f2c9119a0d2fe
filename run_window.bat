@echo off
rem Installs ImageDuplicateFinder into its own .venv (first time), brings it up to date and starts
rem it: the web app, or "idf" with whatever verb and options are given here. --no-update leaves
rem the checkout as it is.
setlocal EnableExtensions DisableDelayedExpansion

rem Each candidate is run, not only looked up: the Microsoft Store leaves names that start nothing.
set "IDF_FOUND="
set "IDF_TOO_OLD="
set "IDF_NO_VENV="
call :try py -3.13
call :try py -3.12
call :try py -3.11
call :try python3
call :try python
call :try py -3
if not defined IDF_FOUND goto :no_python

%IDF_FOUND% "%~dp0scripts\start.py" %*
set "IDF_STATUS=%ERRORLEVEL%"
goto :end

:try
if defined IDF_FOUND exit /b 0
%* -c "" >nul 2>nul
if errorlevel 1 exit /b 0
%* -c "import sys; sys.exit(sys.version_info[:2] < (3, 11))" >nul 2>nul
if errorlevel 1 (
    set "IDF_TOO_OLD=1"
    exit /b 0
)
%* -c "import ensurepip, venv" >nul 2>nul
if errorlevel 1 (
    set "IDF_NO_VENV=1"
    exit /b 0
)
set "IDF_FOUND=%*"
exit /b 0

:no_python
set "IDF_STATUS=1"
if defined IDF_NO_VENV (
    echo This Python lacks its venv module; install Python from https://www.python.org/downloads/ instead. 1>&2
) else if defined IDF_TOO_OLD (
    echo This Python is too old: ImageDuplicateFinder needs Python 3.11 or newer from https://www.python.org/downloads/. 1>&2
) else (
    echo No Python was found: ImageDuplicateFinder needs Python 3.11 or newer from https://www.python.org/downloads/. 1>&2
)

:end
rem A double-clicked window (no arguments, /c) would close before the message can be read.
if "%IDF_STATUS%"=="0" exit /b 0
if not "%~1"=="" exit /b %IDF_STATUS%
echo %CMDCMDLINE% | find /i "/c" >nul && pause
exit /b %IDF_STATUS%
